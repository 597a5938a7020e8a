"""The fixtures and setup that all tests share."""

from __future__ import annotations

import pytest
import structlog


def test_a_logged_exception_draws_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = "stands in the frame"  # noqa: F841 - the traceback would show it
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
    out = capsys.readouterr().out
    assert "ZeroDivisionError: division by zero" in out
    assert "stands in the frame" not in out.replace('drawn = "stands in the frame"', "")
