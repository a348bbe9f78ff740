"""The rights of the people whose data this is: what is stored about them, and how it is shown, mended and erased."""
