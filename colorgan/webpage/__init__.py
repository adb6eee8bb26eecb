"""The page that colors photographs in a browser: the files that `make app` builds of app/, served or exported."""
