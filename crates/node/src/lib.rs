//! The N-API addon: conversion only, no decisions
