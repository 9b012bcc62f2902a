//! Processes killed at random moments under load: nothing acknowledged is lost.
