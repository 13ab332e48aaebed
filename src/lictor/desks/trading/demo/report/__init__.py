"""What a run was: facts for programs, a page with plots for people. Self-contained; nothing is fetched."""
