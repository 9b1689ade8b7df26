"""What people look at: pictures, curves, tables and pages, from arrays and numbers. The only part with matplotlib."""
