"""The documentation as a site: what is generated from code, how it is built, and that its links lead somewhere."""
