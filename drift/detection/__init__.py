"""Detection: two sets of counts become a verdict, with its error and its reason. Pure."""
