"""One module a command: `run(arguments) -> Answer`, imported when the command is called."""
