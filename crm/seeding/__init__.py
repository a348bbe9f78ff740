"""Invented demo data: a coffee roastery that does not exist, its customers and three years of their history.

Every name, address, number and amount is made up. E-mail addresses end in domains reserved by RFC 2606, telephone
numbers come from the ranges that the Bundesnetzagentur keeps free for film and television, IP addresses from the
documentation ranges of RFC 5737. Any likeness to a living person is chance.
"""
