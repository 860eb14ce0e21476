"""Readers of the lists, tables and annotation files that data sets come with."""
