"""What is measured on networks in training: each quantity against a dense oracle in the tests."""
