"""Alerts: verdicts become alerts, alerts become messages that arrive."""
