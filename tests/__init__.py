"""Tests of dayfly: this directory mirrors src/dayfly, e2e runs real servers."""
