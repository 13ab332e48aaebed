"""The one durable truth. `port` is what a store must offer; `state` decides and folds; memory and sqlite are stores."""
