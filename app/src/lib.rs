//! The dashboard: pages, components and server functions.
