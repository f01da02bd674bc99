"""Program → one C11 file: passes, an emitter, a compiler's cache and the calls into it."""
