"""What Jackfield's services share."""
