# How a type is made.
{ lib }:
rec {
  # Two declarations of one option: types of the same kind are joined, others are not. `functor` is what a type shows of
  # itself for that: its kind, what it is made of, how two such parts are joined and how a type is made of the result.
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

  # A type of single values, of which all definitions must be the same.
  mkSimple =
    name: description: check:
    mkOptionType {
      inherit name description check;
      merge = lib.mergeEqualOption;
    };

  # A type around one other.
  aroundType = name: elemType: rebuild: {
    inherit name rebuild;
    payload = elemType;
    join = left: right: left.typeMerge right.functor;
  };
}
