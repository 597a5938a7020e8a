from __future__ import annotations

from partywall.cli import main

if __name__ == "__main__":
    main()
