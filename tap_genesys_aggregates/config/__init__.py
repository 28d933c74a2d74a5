"""What users write → frozen ``Settings`` and ``Query``, or one line that says what is wrong."""
