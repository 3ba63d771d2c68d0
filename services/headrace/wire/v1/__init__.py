"""Generated from proto/headrace/wire/v1 by `make proto`: do not edit. Law: only headrace.wire imports it."""
