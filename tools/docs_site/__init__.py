"""The pages of the repository as a site: what mkdocs needs beside `mkdocs.yml`."""
