"""Entries of a project's audit trail, written in the transaction of what they record."""

from __future__ import annotations

from partywall.core.audit.trail import AuditEntry, audit

__all__ = ["AuditEntry", "audit"]
