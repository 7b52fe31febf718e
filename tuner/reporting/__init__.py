"""What people see of a study, drawn from the database alone."""
