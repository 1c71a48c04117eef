"""The report card of a pair: people, benchmarks, tokens, cases, thoughts, chat, transparency; with all rows."""
