"""The containers, brought up for real: `make test-compose`."""
