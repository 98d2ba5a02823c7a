SELECT name, create_table_query AS definition FROM system.tables WHERE database = currentDatabase()
