"""Evidence: the values an audit writes down, their canonical form, and the bundle that holds
them."""
