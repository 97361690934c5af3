"""Builds the packages of the contract: a wheel, an npm package and a jar, into build/contract."""
