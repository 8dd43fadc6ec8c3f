"""What tests of any application can use."""
