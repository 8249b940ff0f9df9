"""The backend for buckets of S3, Azure Blob and Google Cloud Storage, and the only package that imports obstore.

`store.py` is the store, `options.py` sorts what opens it, `aws_files.py` reads credentials of AWS, `refusals.py` says
why a bucket fails, and `trial.py` tries what a bucket must keep.
"""
