"""`python -m borough`: the commands of `borough.cli`.

What is imported is there to stay. To look through it for garbage again and again while it grows
was a seventh of a part's start.
"""

import gc

gc.disable()

from borough.cli import main  # noqa: E402  # see above

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
