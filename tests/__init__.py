"""The tests. docs/architecture.md says what each folder covers."""
