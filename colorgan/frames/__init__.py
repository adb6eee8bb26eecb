"""Videos: their frames are read, colored and written; sound, subtitles and time stamps stay as they are."""
