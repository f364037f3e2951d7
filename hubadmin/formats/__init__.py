"""How dates, times and numbers are written, a module a language.

Always with the 24-hour clock, and with seconds: these are the times of a log.
"""
