"""Once a day each link that was made is looked at; what has become of it stands in the log."""
