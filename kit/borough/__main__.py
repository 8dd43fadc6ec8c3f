"""`python -m borough`: the commands of `borough.cli`.

What is imported is there to stay. To look through it for garbage again and again while it grows was
a seventh of a part's start. What a request makes is freed with its answer, with or without the
collector, which looks for circles: less often, it takes 0.1 % of a core instead of 1.
"""

import gc

gc.disable()

from borough.cli import main  # noqa: E402  # see above

gc.freeze()
gc.set_threshold(5_000, 20, 20)
gc.enable()

if __name__ == "__main__":
    main()
