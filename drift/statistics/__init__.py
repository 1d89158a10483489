"""Statistics: arrays in, arrays out. The mathematics, with its sources; it knows no monitor."""
