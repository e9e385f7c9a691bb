"""Budgets: whom a limit binds, in which stretch of time, how much a request holds, who is told."""
