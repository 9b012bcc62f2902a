//! Hostile and broken plugins: the host stays alive and says what happened.
