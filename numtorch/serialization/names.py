"""The names in torch's files: element types, storage classes, what a file may call."""

from pickle import UnpicklingError

from ..core.dtype import BY_NAME

__all__ = ["DTYPES", "STORAGE_DTYPES", "dtype_named", "storage_class"]

# torch's storage class -> the name of the dtype. Those that numtorch lacks are here for the error.
STORAGE_DTYPES = {
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
}
STORAGE_CLASSES = {dtype: name for name, dtype in STORAGE_DTYPES.items()}

OTHER_DTYPES = {
    *("uint16", "uint32", "uint64", "complex32", "float8_e4m3fn", "float8_e4m3fnuz"),
    *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
}
DTYPES = set(STORAGE_CLASSES) | OTHER_DTYPES


def dtype_named(name: str):
    """numtorch's dtype of that name; UnpicklingError if it has none."""
    found = BY_NAME.get(name)
    if found is None:
        raise UnpicklingError(
            f"numtorch has no {name} tensors yet: load the file with torch, convert them to one of "
            f"{', '.join(BY_NAME)} (for example with .float()), and save it again"
        )
    return found


def storage_class(dtype) -> str:
    """The name of torch's storage class for a dtype."""
    return STORAGE_CLASSES[dtype.name]
