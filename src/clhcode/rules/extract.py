"""Finds conditions by the wordings of the classification, in running text."""

from __future__ import annotations
