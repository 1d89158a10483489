"""What pages, exports and metrics ask of the results database beyond what `Store` answers."""
