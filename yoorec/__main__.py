"""``python -m yoorec``."""

from yoorec.cli import main

if __name__ == "__main__":
    main()
