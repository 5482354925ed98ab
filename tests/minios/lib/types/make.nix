# Constructors of types.
{ lib }:
rec {
  # `typeMerge` merges the types of two declarations of an option if they are of the same kind. `functor` contains the
  # kind, the parameter, a function that merges two parameters, and one that makes a type from the result.
  mkOptionType =
    {
      name,
      description ? name,
      descriptionClass ? null,
      check ? (_: true),
      merge ? lib.mergeDefaultOption,
      emptyValue ? { },
      getSubOptions ? (_: { }),
      getSubModules ? null,
      substSubModules ? (_: null),
      nestedTypes ? { },
      functor ? { },
      typeMerge ? null,
      deprecationMessage ? null,
    }:
    let
      own = {
        inherit name;
        payload = null;
        join = _: _: null;
        rebuild = _: type;
      }
      // functor;
      joinWith =
        other:
        if other.name != own.name then
          null
        else if own.payload == null then
          type
        else
          let
            payload = own.join own.payload other.payload;
          in
          if payload == null then null else own.rebuild payload;
      type = {
        _type = "option-type";
        inherit
          name
          description
          descriptionClass
          check
          merge
          emptyValue
          getSubOptions
          getSubModules
          substSubModules
          nestedTypes
          deprecationMessage
          ;
        functor = own;
        typeMerge = if typeMerge == null then joinWith else typeMerge;
      };
    in
    type;

  # A type whose definitions must all be equal.
  mkSimple =
    name: description: check:
    mkOptionType {
      inherit name description check;
      merge = lib.mergeEqualOption;
    };

  # The functor of a type with one other type as its parameter.
  aroundType = name: elemType: rebuild: {
    inherit name rebuild;
    payload = elemType;
    join = left: right: left.typeMerge right.functor;
  };
}
