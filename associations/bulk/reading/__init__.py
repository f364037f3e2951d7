"""What people upload: bytes → lines → records → columns → checked rows. It knows no database."""
