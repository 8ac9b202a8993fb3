"""YAML as data: read strictly, read fast, written safely."""
