import numpy as np, numba as nb
from numba import types, carray
from numba.extending import intrinsic
from llvmlite import ir
A=np.zeros(32,np.int64)
ADDR=A.ctypes.data
@intrinsic
def tic(ctx):
    def cg(context,builder,sig,args):
        f=builder.module.declare_intrinsic('llvm.readcyclecounter',fnty=ir.FunctionType(ir.IntType(64),[]))
        return builder.call(f,[])
    return types.int64(),cg
@intrinsic
def ptr(ctx,a):
    def cg(context,builder,sig,args):
        return builder.inttoptr(args[0],ir.IntType(8).as_pointer())
    return types.voidptr(types.int64),cg
ADDRV=int(ADDR)
@nb.njit(nogil=True)
def add(slot,v):
    a=carray(ptr(np.int64(ADDRV)),(32,),np.int64)
    a[slot]+=v
