"""Commands that analyse the frames of a library, one file each."""
