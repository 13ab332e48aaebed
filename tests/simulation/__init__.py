"""The long campaign over simulated seeds, and the safeguards that are taken away to see that it would find it."""
