"""Steps of training: taken, looked at, undone, and tried in other ways."""
