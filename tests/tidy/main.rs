//! The shape of the repository: imports, sizes, names, documents.
