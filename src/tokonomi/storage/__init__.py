"""The store: one SQLite file of live rows, a lake of Parquet files, and the queries over both."""
