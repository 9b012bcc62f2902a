//! The larder command from the outside.
